"""The price of a model call: exact, with its origin, and never a guess."""

from keito.pricing.later import Repricing, UnpricedModel, reprice, unknown_models
from keito.pricing.model_price import ModelPrice, PriceTableError
from keito.pricing.money import Converted, ExchangeRate, ExchangeRateError, MarkedUp, convert, mark_up
from keito.pricing.price import find_rates, price
from keito.pricing.priced import PricedCall
from keito.pricing.rates import METERED, Rate, RateSet
from keito.pricing.table import PriceTable

__all__ = [
    "METERED",
    "Converted",
    "ExchangeRate",
    "ExchangeRateError",
    "MarkedUp",
    "ModelPrice",
    "PriceTable",
    "PriceTableError",
    "PricedCall",
    "Rate",
    "RateSet",
    "Repricing",
    "UnpricedModel",
    "convert",
    "find_rates",
    "mark_up",
    "price",
    "reprice",
    "unknown_models",
]
