"""GitHub's and GitLab's APIs of deployments for prove-deployments.sh: keep what they get, and refuse what those refuse.

usage: deployment_servers.py DIR     (writes DIR/port and DIR/gitlab-port; DIR/github.jsonl and DIR/gitlab.jsonl have a line a request)

The models of bodies are those that the package githubkit-schemas generates from GitHub's public OpenAPI description. Parameters, values and
transitions of GitLab are those of its documentation: docs.gitlab.com/api/deployments and docs.gitlab.com/api/commits.
"""

import datetime
import http.server
import json
import pathlib
import re
import sys
import threading
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


class Api(http.server.BaseHTTPRequestHandler):
    """Reads a request, writes it down, and answers what `handled` of the server returns."""

    protocol_version = "HTTP/1.1"
    log = ""

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
        with (base / self.log).open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.reply(status, value)

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def do_PUT(self):
        self.answer("PUT")

    def log_message(self, *_):
        pass


class GitHub(Api):
    log = "github.jsonl"

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


class GitLab(Api):
    log = "gitlab.jsonl"
    token = "canary-gitlab-88bb"
    deployments, statuses = [], []
    # The first response is lost, as by a server that dies after it has made the deployment.
    drops = 1

    def handled(self, method, url, body):
        if self.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"message": "401 Unauthorized"}
        rest = re.fullmatch(r"/api/v4/projects/acme%2Fweb%2Fshop(/.*)?", url.path)
        if not rest:
            return 404, {"message": "404 Project Not Found"}
        path, query = rest[1] or "", urllib.parse.parse_qs(url.query)
        if (method, path) == ("GET", ""):
            return 200, {"path_with_namespace": "acme/web/shop"}
        if (method, path) == ("GET", "/deployments"):
            return self.listed(query)
        if (method, path) == ("POST", "/deployments"):
            return self.made(body)
        if match := re.fullmatch(r"/deployments/(\d+)", path):
            return self.updated(method, int(match[1]), body)
        if match := re.fullmatch(r"/statuses/([0-9a-f]{40})", path):
            return self.commit_status(match[1], body)
        return 404, {"error": "404 Not Found"}

    def listed(self, query):
        if unknown := set(query) - {"environment", "order_by", "sort", "per_page"}:
            return 400, {"error": f"{sorted(unknown)} is invalid"}
        found = [one for one in self.deployments if one["environment"]["name"] == query["environment"][0]]
        return 200, sorted(found, key=lambda one: -one["id"])[: int(query["per_page"][0])]

    def made(self, body):
        types = {"environment": str, "sha": str, "ref": str, "tag": bool, "status": str}
        if set(body) != set(types) or any(not isinstance(body[key], kind) for key, kind in types.items()):
            return 400, {"error": f"expected {sorted(types)}, found {body}"}
        if body["status"] not in ("running", "success", "failed", "canceled") or not body["ref"]:
            return 400, {"error": "status does not have a valid value"}
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        one = {**body, "id": len(self.deployments) + 40, "environment": {"name": body["environment"]}, "created_at": now}
        self.deployments.append(one)
        if GitLab.drops:
            GitLab.drops -= 1
            return 502, {"message": "502 Bad Gateway"}
        return 201, one

    def updated(self, method, number, body):
        one = next((one for one in self.deployments if one["id"] == number), None)
        if method != "PUT" or not one or set(body) != {"status"}:
            return 404, {"message": "404 Not found"}
        is_allowed = body["status"] != one["status"] and (body["status"] != "running" or one["status"] == "created")
        if body["status"] not in ("running", "success", "failed", "canceled") or not is_allowed:
            return 400, {"message": {"status": [f"Cannot transition status from {one['status']}"]}}
        one["status"] = body["status"]
        return 200, one

    def commit_status(self, sha, body):
        known = {"state", "ref", "name", "context", "target_url", "description", "coverage", "pipeline_id"}
        if set(body) - known or body["state"] not in ("pending", "running", "success", "failed", "canceled", "skipped"):
            return 400, {"error": "invalid"}
        if len(body.get("target_url", "")) > 255 or len(body.get("description", "")) > 255:
            return 400, {"message": "is too long (maximum is 255 characters)"}
        last = next((one for one in reversed(self.statuses) if (one["sha"], one["name"]) == (sha, body["name"])), None)
        if last and last["state"] == body["state"] == "running":
            return 400, {"message": "Cannot transition status via :run from :running (Reason(s): Status cannot transition via \"run\")"}
        self.statuses.append({"sha": sha, **body})
        return 201, body


for handler, name in [(GitLab, "gitlab-port"), (GitHub, "port")]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    (base / f"{name}.new").write_text(str(server.server_port))
    (base / f"{name}.new").rename(base / name)
    threading.Thread(target=server.serve_forever).start()
