"""SIGTERM: finish the step, write a checkpoint, end."""

import signal
from types import FrameType
from typing import Any

import torch

from .errors import Terminated


class Stop:
    """Notes that the process was asked to stop. Several processes decide together, since each step needs all of them."""

    def __init__(self) -> None:
        self._asked = False
        self._deferred = False
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self._asked = True
        if not self._deferred:
            raise Terminated

    def defer(self) -> None:
        """From here on, the loop asks `agreed` when it can stop. Before, there is nothing to save, and SIGTERM ends the process at once."""
        self._deferred = True

    def agreed(self, accelerator: Any) -> bool:
        """Whether any process was asked to stop. All processes must ask at the same point."""
        if accelerator.num_processes == 1:
            return self._asked
        asked = torch.tensor([int(self._asked)], device=accelerator.device)
        return bool(accelerator.gather(asked).sum().item())
