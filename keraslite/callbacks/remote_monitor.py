"""`RemoteMonitor`: results of epochs for a server."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
import warnings

import numpy as np

from keraslite.callbacks.callback import Callback, Logs


class RemoteMonitor(Callback):
    """Sends the logs of every epoch to a server by HTTP POST, as JSON.

    Training goes on, with a warning, when the server cannot be reached.

    Args:
        root: address of the server.
        path: what follows it.
        field: name of the form field that holds the JSON.
        headers: of the request.
        send_as_json: send the JSON itself (`application/json`), no form.

    Example:
        >>> monitor = keras.callbacks.RemoteMonitor("http://localhost:9000", send_as_json=True)
        >>> model.fit(x, y, callbacks=[monitor])
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
                "RemoteMonitor: `root` must be an address that begins with http:// or https://. "
                f"Received: root={root!r}"
            )
        self.root = root
        self.path = path
        self.field = field
        self.headers = headers
        self.send_as_json = send_as_json

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        values = {name: np.asarray(value).tolist() for name, value in (logs or {}).items()}
        text = json.dumps({"epoch": epoch, **values})
        kind = "application/json"
        if not self.send_as_json:
            text = urllib.parse.urlencode({self.field: text})
            kind = "application/x-www-form-urlencoded"
        request = urllib.request.Request(
            self.root + self.path,
            text.encode(),
            {"Content-Type": kind, **(self.headers or {})},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=self._TIMEOUT):
                pass
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            warnings.warn(
                f"RemoteMonitor could not send epoch {epoch} to {self.root}: {error}.", stacklevel=2
            )
