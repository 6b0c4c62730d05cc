"""The guards at work: on requests, on whole answers, on streams, in worker threads and in the solver's process."""
