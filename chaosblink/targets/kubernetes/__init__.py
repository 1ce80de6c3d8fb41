"""The platform in a cluster: pods as instances, asked through the API and at their own addresses."""
