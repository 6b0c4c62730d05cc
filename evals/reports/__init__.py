"""What a run says, to be read by people: one HTML file, Markdown for a pull request, tables for a terminal."""
