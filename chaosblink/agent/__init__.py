"""The agent: one on each node of a cluster, breaks labelled pods there and mends them. It equals root on the node."""
