"""`RemoteMonitor`: sends the results of every epoch to a server."""

from __future__ import annotations

import json
import warnings
from typing import Any

from keraslite.callbacks.callback import Callback, Logs


class RemoteMonitor(Callback):
    """Posts the epoch and the logs to a server after every epoch.

    A server that cannot be reached is a warning; training goes on.

    Args:
        root: address of the server.
        path: below `root`.
        field: name of the form field that holds the JSON; not used with `send_as_json`.
        headers: name -> value, for the request.
        send_as_json: post a JSON document rather than a form.

    Raises:
        ValueError: for another kind of address, such as a file.

    Example:
        >>> model.fit(x, y, callbacks=[keras.callbacks.RemoteMonitor("http://localhost:9000")])
    """

    _TIMEOUT = 10.0

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: dict[str, str] | None = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        if not root.startswith(("http://", "https://")):
            raise ValueError(
                f"RemoteMonitor: `root` must be an address that begins with http. Received: {root}"
            )
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        # Slow to import, and few programs use it.
        import urllib.parse
        import urllib.request

        text = json.dumps({"epoch": epoch, **(logs or {})}, default=_plain)
        if self.send_as_json:
            body, kind = text, "application/json"
        else:
            body = urllib.parse.urlencode({self.field: text})
            kind = "application/x-www-form-urlencoded"
        request = urllib.request.Request(
            self.root + self.path,
            data=body.encode(),
            headers={"Content-Type": kind, **(self.headers or {})},
        )
        try:
            urllib.request.urlopen(request, timeout=self._TIMEOUT).close()
        except OSError as error:
            warnings.warn(
                f"RemoteMonitor: could not send epoch {epoch} to {self.root}: {error}",
                stacklevel=2,
            )


def _plain(value: Any) -> Any:
    """What JSON has no word for: arrays and numbers of NumPy."""
    return value.tolist()
