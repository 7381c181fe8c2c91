"""GitHub's API of deployments for prove-deployments.sh: keeps what it gets, and refuses what GitHub's description refuses.

usage: deployment_servers.py DIR     (writes DIR/port; DIR/github.jsonl has a line for each request)

The models of bodies are those that the package githubkit-schemas generates from GitHub's public OpenAPI description.
"""

import http.server
import json
import pathlib
import re
import sys
import urllib.parse

import githubkit_schemas.v2022_11_28.models as models
from pydantic import ConfigDict, TypeAdapter, ValidationError

base = pathlib.Path(sys.argv[1])
TOKEN = "canary-github-77aa"
deployments, statuses, commits = [], {}, []
# The first try of a deployment's status is lost, as by a server that dies after it has made the deployment.
drops = {"statuses": 1}


def strictly(model, body):
    """Returns why GitHub would refuse a body: another type, a value that is none, a key that it does not know."""
    unknown = set(body) - {field.alias or name for name, field in model.model_fields.items()}
    if unknown:
        return f"unknown keys: {sorted(unknown)}"
    try:
        TypeAdapter(model, config=None if hasattr(model, "model_config") else ConfigDict(strict=True)).validate_python(body)
    except ValidationError as error:
        return str(error)
    if len(body.get("description") or "") > 140:
        return "description is longer than 140 characters"
    return None


class GitHub(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def answer(self, method):
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length) or b"null")
        status, value = self.handled(method, urllib.parse.urlsplit(self.path), body)
        line = {"method": method, "path": self.path, "body": body, "status": status, "value": value if status >= 400 else None}
        with (base / "github.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.reply(status, value)

    def handled(self, method, url, body):
        headers = self.headers
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if not headers.get("user-agent") or headers.get("accept") != "application/vnd.github+json":
            return 403, {"message": "headers"}
        if headers.get("x-github-api-version") != "2022-11-28":
            return 400, {"message": "version"}
        rest = re.fullmatch(r"/repos/acme/shop(/.*)?", url.path)
        if not rest:
            return 404, {"message": "Not Found"}
        return self.of_repository(method, rest[1] or "", urllib.parse.parse_qs(url.query), body)

    def of_repository(self, method, path, query, body):
        if (method, path) == ("GET", ""):
            return 200, {"full_name": "acme/shop"}
        if (method, path) == ("GET", "/deployments"):
            wanted = query.get("environment", [None])[0]
            found = [one for one in reversed(deployments) if one["environment"] == wanted]
            return 200, found[: int(query.get("per_page", ["30"])[0])]
        if (method, path) == ("POST", "/deployments"):
            problem = strictly(models.ReposOwnerRepoDeploymentsPostBody, body)
            if problem or body.get("auto_merge") is not False or body.get("required_contexts") != []:
                return 409 if not problem else 422, {"message": problem or "Conflict merging main"}
            made = {"id": 1000 + len(deployments), "sha": body["ref"], **body}
            deployments.append(made)
            return 201, made
        match = re.fullmatch(r"/deployments/(\d+)/statuses", path)
        if match:
            kept = statuses.setdefault(int(match[1]), [])
            if method == "GET":
                return 200, list(reversed(kept))[: int(query.get("per_page", ["30"])[0])]
            problem = strictly(models.ReposOwnerRepoDeploymentsDeploymentIdStatusesPostBody, body)
            if problem:
                return 422, {"message": problem}
            if drops["statuses"]:
                drops["statuses"] -= 1
                return 502, {"message": "Server Error"}
            kept.append(body)
            return 201, body
        match = re.fullmatch(r"/statuses/([0-9a-f]{40})", path)
        if method == "POST" and match:
            problem = strictly(models.ReposOwnerRepoStatusesShaPostBody, body)
            if problem:
                return 422, {"message": problem}
            commits.append({"sha": match[1], **body})
            return 201, body
        if (method, path) == ("GET", "/summary"):
            return 200, {"deployments": deployments, "statuses": statuses, "commits": commits}
        return 404, {"message": "Not Found"}

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
(base / "port.new").write_text(str(server.server_port))
(base / "port.new").rename(base / "port")
server.serve_forever()
