# A shell script, on any image with a shell.
ARG BASE=debian:trixie-slim
FROM ${BASE}
COPY total.sh /usr/local/bin/total
USER 1000
