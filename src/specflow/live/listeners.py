"""Who is told of a step that was measured: sinks, and of what is wrong with it a function."""

from collections.abc import Callable, Sequence

from specflow.live.alerts import Alert, AlertParams, of_weights
from specflow.live.messages import Measured
from specflow.live.rows import Scalars
from specflow.live.sinks import Sink


class Listeners:
    """Sinks and a function of alerts; one that fails is told no more, and it is said.

    Attributes:
        first: The numbers of the first step in the file, from which growth is counted.
        wants_spectra: Whether there are sinks.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        alerts: AlertParams | None,
        on_alert: Callable[[Alert], object] | None,
        warn: Callable[[str], None],
    ) -> None:
        """Have told nothing yet; `warn` says what is wrong."""
        self._sinks, self._alerts, self._on_alert, self._warn = [*sinks], alerts, on_alert, warn
        self.first: Scalars = {}
        self.wants_spectra = bool(sinks)
        self._told: set[str] = set()

    def tell(self, measured: Measured) -> None:
        """Tell all of a step."""
        number, scalars = measured.number, measured.scalars
        for sink in [*self._sinks]:
            try:
                sink(number, scalars, measured.spectra)
            except Exception as error:  # of a logger, over a network perhaps
                self._sinks.remove(sink)
                self._warn(f"sinks: {type(error).__name__}: {error}; it is told no more")
        self.first = {**scalars, **self.first}
        found = [*self._alerts.of(number, scalars, self.first)] if self._alerts else []
        for alert in found:
            if _name_of(alert) not in self._told:
                self._warn(f"step {alert.step}: {alert.matrix or 'all'}: {alert.message}")
                self._call(alert)
        # what is well again is told when it is not another time
        self._told = (self._told - of_weights(scalars).keys()) | {*map(_name_of, found)}

    def _call(self, alert: Alert) -> None:
        if self._on_alert is None:
            return
        try:
            self._on_alert(alert)
        except Exception as error:  # as of a sink
            self._on_alert = None
            self._warn(f"on_alert: {type(error).__name__}: {error}; it is called no more")


def _name_of(alert: Alert) -> str:
    """Return what the number is called that an alert is of."""
    quantity = alert.message.partition(" ")[0]
    return f"{quantity}/{alert.matrix}" if alert.matrix else quantity
