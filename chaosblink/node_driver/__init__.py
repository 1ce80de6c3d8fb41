"""The driver of whole-node faults: it lives on a kind cluster's host, where the nodes are containers."""
