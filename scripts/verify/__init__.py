"""Statistics in pure numpy and scipy: no models here."""
