"""Schemas of the operators' objects, for kubeconform: from cloudcoil's models of their definitions.

A program for the Python that has them (`make chart`); it prints one object, schemas by file name.
"""

import importlib
import json
import sys
from typing import Any

KINDS = {
    "prometheus_operator.v1": ("PodMonitor", "PrometheusRule"),
    "keda.v1alpha1": ("ScaledObject", "TriggerAuthentication"),
}


def strict(schema: Any) -> Any:
    """The schema, in which what it does not name is refused."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(each) for name, each in schema.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def main() -> None:
    """Print them."""
    found = {}
    for module, kinds in KINDS.items():
        models = importlib.import_module(f"cloudcoil.models.{module}")
        for kind in kinds:
            schema = strict(getattr(models, kind).model_json_schema(by_alias=True))
            # As a cluster has it, which knows an object by these.
            schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
            group = "monitoring" if module.startswith("prometheus") else "keda"
            found[f"{kind.lower()}-{group}-{module.rpartition('.')[2]}.json"] = schema
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
