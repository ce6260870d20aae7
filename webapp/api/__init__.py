"""The JSON API: its addresses, what they take and answer, its OpenAPI document."""
