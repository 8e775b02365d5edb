"""From documents to domain values with every option resolved; problems are collected on the way."""
