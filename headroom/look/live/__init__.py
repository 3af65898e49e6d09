"""What a person watches: a worker's figures, painted on a terminal or told line by line."""

from headroom.look.live.ask import Worker
from headroom.look.live.scene import Scene
from headroom.look.live.show import Screen, keeping, scenes, watch

__all__ = ["Scene", "Screen", "Worker", "keeping", "scenes", "watch"]
