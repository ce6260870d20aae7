"""Requests and answers: what may come in, who may ask, what errors say, the server."""
