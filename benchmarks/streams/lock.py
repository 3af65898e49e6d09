"""Make the committed locks of the benchmark's jars anew: `make lock-bench`."""

from pathlib import Path

from headroom.local.kafka.lock import write_lock

HERE = Path(__file__).parent

if __name__ == "__main__":
    for name in ("jgo", "ecj"):
        lock = HERE / f"{name}.lock.toml"
        count = write_lock(HERE / f"{name}.toml", lock)
        lock.write_text(lock.read_text("utf-8").replace("make lock-kafka", "make lock-bench"))
        print(f"{name}.lock.toml: {count} jars")
