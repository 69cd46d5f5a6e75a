# Nothing but the program: no shell, no libraries, no Python.
FROM scratch
COPY area /area
USER 1000
