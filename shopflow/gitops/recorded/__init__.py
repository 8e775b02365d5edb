"""What was recorded of a customer, as a test of a workflow that names nobody."""
