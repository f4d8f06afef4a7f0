"""Orthanc plugin: what comes in is made to fit a policy, and a route gives files in any syntax.

It runs in Orthanc's own Python (3.11 in Debian 12) and needs nothing else; `dicodec serve`, in a
process of its own, does the work. Put this into orthanc.json, and see docs/orthanc.md:

    "PythonScript": "/usr/share/orthanc/dicodec_orthanc.py"

Environment:
    DICODEC_URL: address of the service; http://127.0.0.1:8765 if it is absent.
    DICODEC_TOKEN: token of the service, if it asks for one.
    DICODEC_POLICY: policy for received instances, such as archive; if it is absent, they stay as
        they are.
    DICODEC_TIMEOUT: seconds that the service may take; 60 if it is absent.
"""

import json
import os
import urllib.error
import urllib.parse
import urllib.request

import orthanc

URL = os.environ.get("DICODEC_URL", "http://127.0.0.1:8765").rstrip("/")
TOKEN = os.environ.get("DICODEC_TOKEN")
POLICY = os.environ.get("DICODEC_POLICY")
TIMEOUT = float(os.environ.get("DICODEC_TIMEOUT", "60"))

# A proxy for other sites has no part in this.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ServiceError(Exception):
    """The service is away, or does not convert a file.

    Attributes:
        status: HTTP status for the client.
        body: the service's error as JSON.
    """

    def __init__(self, status: int, code: str, body: bytes) -> None:
        super().__init__(code)
        self.status = status
        self.body = body


def ask_service(path: str, parameters: list[tuple[str, str]], file: bytes) -> tuple[bytes, str]:
    """Send a file to the service, and return its answer and the answer's media type.

    Raises:
        ServiceError: there is no answer, or it is an error.
    """
    request = urllib.request.Request(  # noqa: S310 - the address is the operator's
        f"{URL}{path}?{urllib.parse.urlencode(parameters)}",
        data=file,
        headers={"Content-Type": "application/dicom"},
    )
    if TOKEN is not None:
        request.add_header("Authorization", f"Bearer {TOKEN}")
    try:
        with _opener.open(request, timeout=TIMEOUT) as answer:
            return answer.read(), answer.headers.get("Content-Type", "application/octet-stream")
    except urllib.error.HTTPError as error:
        body = error.read()
        try:
            code = str(json.loads(body)["error"]["code"])
        except (ValueError, KeyError, TypeError):
            code = f"status {error.code}"
        raise ServiceError(error.code, code, body) from error
    except (OSError, ValueError) as error:
        code = "service-unavailable"
        message = {"error": {"code": code, "message": "the dicodec service does not answer"}}
        raise ServiceError(503, code, json.dumps(message).encode()) from error


def fit_received(received: bytes, origin: object) -> tuple[object, bytes | None]:
    """Return what Orthanc shall store; if anything goes wrong, the instance as it came."""
    del origin  # from wherever it came
    try:
        result, _ = ask_service(
            "/api/convert", [("policy", POLICY or ""), ("verify", "true")], received
        )
    except ServiceError as error:
        # Errors have no names of patients, but the words of one may: the code is enough.
        orthanc.LogWarning(f"dicodec: an instance is stored as it came, because of {error}")
        return orthanc.ReceivedInstanceAction.KEEP_AS_IS, None
    if result == received:
        return orthanc.ReceivedInstanceAction.KEEP_AS_IS, None
    return orthanc.ReceivedInstanceAction.MODIFY, result


def send_instance(output: object, uri: str, **request: object) -> None:
    """Answer GET /dicodec/instances/ID/file?to=jpeg-ls with the whole instance."""
    del uri
    _answer(output, request, "/api/convert", [])


def send_frame(output: object, uri: str, **request: object) -> None:
    """Answer GET /dicodec/instances/ID/frames/N?to=jpeg-ls with the stream of one frame, from 0."""
    del uri
    _answer(output, request, "/api/frame", [("frame", request["groups"][1])])


def _answer(output: object, request: dict, path: str, parameters: list[tuple[str, str]]) -> None:
    if request["method"] != "GET":
        output.SendMethodNotAllowed("GET")
        return
    try:
        file = orthanc.RestApiGet(f"/instances/{request['groups'][0]}/file")
    except orthanc.OrthancException:
        output.SendHttpStatusCode(404)
        return
    try:
        result, media_type = ask_service(path, [*parameters, *request["get"].items()], file)
    except ServiceError as error:
        orthanc.LogWarning(f"dicodec: an instance is not converted, because of {error}")
        output.SetHttpHeader("Content-Type", "application/json")
        output.SendHttpStatus(error.status, error.body.decode(), len(error.body))
        return
    output.AnswerBuffer(result, media_type)


if POLICY:
    orthanc.RegisterReceivedInstanceCallback(fit_received)
orthanc.RegisterRestCallback("/dicodec/instances/([0-9a-f-]+)/file", send_instance)
orthanc.RegisterRestCallback("/dicodec/instances/([0-9a-f-]+)/frames/([0-9]+)", send_frame)
