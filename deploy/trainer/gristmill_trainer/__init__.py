"""Fine-tunes a model on rows in a fixed order, as a request says, and reports each step as a line of JSON.

The request fixes everything that changes a loss, so that another trainer that reads the same request gives the same losses. This package owns
the loop, its checkpoints and its events. It does not choose, shuffle, repeat, shorten or filter rows: whoever writes the request does that.
"""

__version__ = "0.1.0"
