"""The rule language: from text in a repository to compiled domain values, with every problem."""
