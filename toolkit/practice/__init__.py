"""A small world on this machine to practise on: drawn pictures of cars and tanks, and a server that speaks like Reddit.

No network and no keys are needed. `world` starts the server; `vehicle` draws one picture.

>>> from toolkit import practice
>>> with practice.world(pictures=20) as world:
...     world.sources
('reddit:practice_cars=cars', 'reddit:practice_tanks=tanks')
"""

from toolkit.practice.draw import LABELS, Drawing, vehicle
from toolkit.practice.server import Fault
from toolkit.practice.world import World, world

__all__ = ["LABELS", "Drawing", "Fault", "World", "vehicle", "world"]
