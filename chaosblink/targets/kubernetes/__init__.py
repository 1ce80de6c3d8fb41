"""BlinkChamber on a Kubernetes cluster: its release and what it is made of."""
