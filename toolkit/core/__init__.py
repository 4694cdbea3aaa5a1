"""The machine: where files lie, work in parallel, sockets, and Keras imported quietly. Imports no other chapter."""
