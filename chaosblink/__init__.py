"""BlinkChaos: kills BlinkChamber's leaders under login load and proves with numbers what held."""

__version__ = "0.1.0"
