"""Flash, chip and boot: what a unit is made of."""
