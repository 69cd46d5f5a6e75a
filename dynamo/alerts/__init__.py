"""Alerts: hazards and subscribers in, what each subscriber is told out.

Enters: products (GeoJSON polygons), subscribers (GeoJSON points or CSV), where each stood before. Leaves: matches,
and from these alerts, new, updated or cancelled, in the forms that receivers read; in the journal, in one
transaction with the outbox. Goes wrong: `DataError` for a product, `UserError` with each line for subscribers.
"""
