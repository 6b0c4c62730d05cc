"""The grammar of policies: YAML in, one frozen policy or every mistake at once out."""
