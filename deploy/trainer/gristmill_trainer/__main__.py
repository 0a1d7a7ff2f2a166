"""`python -m gristmill_trainer REQUEST.json`"""

import argparse
import os
import sys
import traceback
import warnings
from pathlib import Path

from . import __version__
from .errors import RunError, Terminated
from .events import Events, claim_standard_output, log
from .request import Request, read


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gristmill_trainer", description="Fine-tune a model as a request says. Events go to standard output.")
    parser.add_argument("request", type=Path, metavar="REQUEST.json")
    parser.add_argument(
        "--gradient-checkpointing",
        action=argparse.BooleanOptionalAction,
        help="compute activations twice to save memory; by default on a GPU only",
    )
    parser.add_argument("--write-initial-adapter", metavar="FOLDER", help="write the adapter that the request starts from, and train nothing")
    parser.add_argument("--version", action="version", version=__version__)
    return parser.parse_args()


def _prepare_environment() -> None:
    """Before libraries are loaded, which read this only once."""
    # What is trained here is nobody else's business.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore", category=FutureWarning)
    # The request says how it is computed, not the launcher's configuration.
    os.environ.pop("ACCELERATE_MIXED_PRECISION", None)
    if "LOCAL_RANK" not in os.environ:
        # A process that was not launched as one of several uses one GPU.
        os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]


def _run(request: Request, options: argparse.Namespace, events: Events) -> None:
    from .stop import Stop

    stop = Stop()
    # These load torch, which takes seconds: not before the request is known to be right.
    from .run import Options, run, write_initial_adapter

    if options.write_initial_adapter:
        write_initial_adapter(request, options.write_initial_adapter)
    else:
        run(request, Options(options.gradient_checkpointing), events, stop)


def main() -> None:
    options = _arguments()
    first = os.environ.get("RANK", "0") == "0"
    events = Events(claim_standard_output(), muted=not first)
    _prepare_environment()
    try:
        _run(read(options.request), options, events)
    except RunError as error:
        if first or error.exit_code != 2:
            log(f"error: {error}")
        sys.exit(error.exit_code)
    except Terminated as stopped:
        log("stopped, as asked")
        sys.exit(stopped.exit_code)
    except KeyboardInterrupt:
        log("interrupted")
        sys.exit(130)
    except Exception as error:
        traceback.print_exc()
        # The last line says what happened, also where a library failed.
        log(f"error: {_explained(error)}")
        sys.exit(1)


def _explained(error: Exception) -> str:
    if type(error).__name__ == "OutOfMemoryError":
        return 'out of memory on the GPU: lower `micro_batch_rows`, use `precision` "bf16", or pass --gradient-checkpointing'
    return f"{type(error).__name__}: {error}".splitlines()[0]


if __name__ == "__main__":
    main()
