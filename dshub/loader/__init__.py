"""Order, batches and the place in an epoch, over anything with a length and a gather.

`Order` says which row comes at which position, as a pure function of (seed, epoch, position).
`Loader` walks it in batches. Neither knows where rows come from.
"""

from dshub.loader.loader import Batch, Loader, Rows
from dshub.loader.order import ORDER_VERSION, key_of, permute

__all__ = ["ORDER_VERSION", "Batch", "Loader", "Rows", "key_of", "permute"]
