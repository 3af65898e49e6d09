"""What libraries make of amounts, as one JSON: each way of each reads texts and adds them.

Run by `python -m tests.consumers.amounts` in an environment of its own, with the versions there.
"""

import json
import sys

import chdb
import datafusion
import duckdb
import polars as pl
import pyarrow as pa
import pyspark
from pyarrow import compute
from pyspark.sql import SparkSession

DUCKDB = duckdb.connect()
FUSION = datafusion.SessionContext()
SPARK = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .getOrCreate()
)
ARROW = {
    "float64": pa.float64(),
    "decimal128(38, 18)": pa.decimal128(38, 18),
    "decimal256(76, 38)": pa.decimal256(76, 38),
}
POLARS = {"Float64": pl.Float64, "Decimal(38, 18)": pl.Decimal(38, 18)}


def values(texts):
    return ", ".join(f"('{text}')" for text in texts)


def of_duckdb(kind, texts):
    question = f"SELECT sum(CAST(x AS {kind}))::TEXT FROM (VALUES {values(texts)}) AS t(x)"  # noqa: S608
    return DUCKDB.execute(question).fetchone()[0]


def of_datafusion(kind, texts):
    question = f"SELECT sum(CAST(x AS {kind})) AS s FROM (VALUES {values(texts)}) AS t(x)"  # noqa: S608
    return FUSION.sql(question).to_pydict()["s"][0]


def of_polars(kind, texts):
    return pl.Series(texts).cast(POLARS[kind]).sum()


def of_pyarrow(kind, texts):
    return compute.sum(compute.cast(pa.array(texts), ARROW[kind])).as_py()


def of_clickhouse(kind, texts):
    question = f"SELECT sum(CAST(x AS {kind})) FROM VALUES('x String', {values(texts)})"  # noqa: S608
    return str(chdb.query(question, "TSV")).strip()


def of_spark(kind, texts):
    question = f"SELECT sum(CAST(x AS {kind})) AS s FROM VALUES {values(texts)} AS t(x)"  # noqa: S608
    return SPARK.sql(question).collect()[0].s


WAYS = {
    "DuckDB": (duckdb, of_duckdb, ["DOUBLE", "DECIMAL(38, 18)"]),
    "Polars": (pl, of_polars, list(POLARS)),
    "PyArrow": (pa, of_pyarrow, list(ARROW)),
    "DataFusion": (datafusion, of_datafusion, ["DOUBLE", "DECIMAL(38, 18)", "DECIMAL(76, 38)"]),
    "ClickHouse (chdb)": (
        chdb,
        of_clickhouse,
        ["Float64", "Decimal(38, 18)", "Decimal(76, 38)"],
    ),
    "Spark": (pyspark, of_spark, ["DOUBLE", "DECIMAL(38, 18)"]),
}


def main():
    found = []
    cases = json.loads(sys.argv[1])
    for name, (library, ask, kinds) in WAYS.items():
        for kind in kinds:
            told = []
            ask(kind, ["0.5"])  # what refuses this is asked wrongly: not caught
            for texts in cases:
                try:
                    told.append(str(ask(kind, texts)))
                except Exception:  # noqa: BLE001 - each library has its own
                    told.append(None)
            found.append([f"{name} {library.__version__}", kind, told])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
