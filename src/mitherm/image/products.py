"""Names behind numbers as images carry them; the facts are in `model/models.py`."""

from mitherm.model.models import LYWSD03MMC, PRODUCTS, PVVX_DEVICES, product, pvvx_device

__all__ = ["LYWSD03MMC", "PRODUCTS", "PVVX_DEVICES", "product", "pvvx_device"]
