"""How much load a platform carries: steps of users under Locust, measured until more users bring no more work."""
