#!/usr/bin/env python3
"""A client of Fiducial in one file, with nothing but Python's own library (3.8 or newer).

    import fiducial

    server = fiducial.Server("https://fiducial.example", "fid_…")   # or FIDUCIAL_URL and FIDUCIAL_TOKEN
    for project in server.projects():
        print(project["slug"], project["kind"])
    done = server.import_folder("steel", "./photographs", "yolo", "truth", add_classes=True)
    for result in server.import_results(done["id"], "refused"):
        print(result["name"], result["reason"])
    version = server.freeze("steel-train", ["steel"])
    server.export("steel-train", version["number"], "coco", "train.zip", media=True)
    print(server.agreement("steel"))

What the server has against a request is raised as Problem, whose text is for people. Requests that did not get
through are sent again, and whatever they make is made once. The same from a shell: python3 fiducial.py --help
"""

import argparse
import concurrent.futures
import hashlib
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

ATTEMPTS = 6
FILES_AT_ONCE = 4
FILES_ANNOUNCED = 500
TIMEOUT = 300  # seconds without a byte


class Problem(Exception):
    """What the server has against a request: status, title, detail, and the fields that are wrong."""

    def __init__(self, status, title="", detail="", errors=()):
        self.status, self.title, self.detail, self.errors = status, title, detail, list(errors or ())
        lines = [detail or title or "the server answered %d" % status]
        lines += ["  %s: %s" % (e.get("location", ""), e.get("message", "")) for e in self.errors if e.get("message") != detail]
        super().__init__("\n".join(lines))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the server that it was given for, and nowhere else."""

    def redirect_request(self, request, body, code, message, headers, address):
        return None


class Server:
    """A Fiducial server, as the owner of a token sees it. Its methods may be called from several threads."""

    def __init__(self, url=None, token=None, pause=0.5):
        self.url = (url or os.environ.get("FIDUCIAL_URL") or "http://127.0.0.1:8080").rstrip("/")
        self.token = token or os.environ.get("FIDUCIAL_TOKEN") or ""
        self.pause = pause  # seconds between two looks at something under way, and before the first new try
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("%r is not the address of a server: use one like http://127.0.0.1:8080" % self.url)
        if not self.token:
            raise ValueError("no token: give one, or set FIDUCIAL_TOKEN (an admin makes tokens under Admin, Tokens)")
        self._opener = urllib.request.build_opener(_NoRedirect)

    # Requests

    def get(self, path, **query):
        """The JSON document at path, below /api/v1."""
        return self._json("GET", path + _query(query))

    def post(self, path, body=None):
        """Sends body as JSON under an idempotency key, so that it is done once however often it is sent."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        return self._json("POST", path, json.dumps(body if body is not None else {}).encode(), headers)

    def list(self, path, **query):
        """Yields every row of the list at path, page by page."""
        path += _query(query)
        while path:
            page = self._json("GET", path)
            yield from page["data"]
            path = page.get("next")

    def _json(self, method, path, body=None, headers=None):
        def read(answer):
            content = answer.read()
            return json.loads(content) if content else None

        return self._retried(lambda: self._send(method, path, read, body, headers))

    def _send(self, method, path, read, body=None, headers=None):
        address = self.url + (path if path.startswith("/api/") else "/api/v1" + path)
        request = urllib.request.Request(address, data=body, method=method, headers=dict(headers or {}))
        request.add_header("Authorization", "Bearer " + self.token)
        request.add_header("Accept", "application/json")
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                return read(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(error, self.url) from None

    def _retried(self, send):
        """Sends again, after growing pauses, what a lost connection or a server that starts anew kept from getting through."""
        for attempt in range(ATTEMPTS):
            try:
                return send()
            except Problem as problem:
                passing = problem.status in (429, 500, 502, 503, 504) or problem.status == 409 and "idempotency" in problem.detail
                if not passing or attempt == ATTEMPTS - 1:
                    raise
            except (urllib.error.URLError, http.client.HTTPException, OSError):
                if attempt == ATTEMPTS - 1:
                    raise
            time.sleep(self.pause * 2**attempt)

    def _until(self, path, states):
        """Looks at path until its state is none of these."""
        pause = self.pause / 8
        while True:
            answer = self.get(path)
            if answer["state"] not in states:
                return answer
            time.sleep(pause)
            pause = min(2 * pause, max(self.pause, 1))

    # Projects

    def projects(self):
        """Yields the projects that the token sees."""
        return self.list("/projects")

    def agreement(self, project, round=None):
        """How far the answers in a project agree, or in one round of it: "summary" holds the measures with their intervals.

        It is a Problem of status 404 as long as there are no answers to compare.
        """
        return self.get("/projects/%s/agreement" % _name(project), round=round)

    def agreement_items(self, project):
        """Yields the items that have answers to compare, those that agree least first."""
        return self.list("/projects/%s/agreement/items" % _name(project), limit=1000)

    # Imports

    def import_folder(self, project, path, format, purpose="media", model="", source="", voc_base=1, group_by="",
                      add_classes=False, dry_run=False, progress=None):
        """Brings in a file, a zip, or everything below a folder, and returns the import once it has ended.

        format is images, coco, voc, yolo, cvat or labelstudio; purpose says what labels become: truth, prefill,
        prediction, or media for the pictures alone. A dry run says what would happen and changes nothing. progress
        is called with the bytes that have arrived and all there are.
        """
        files = _files(path)
        if not files:
            raise ValueError("there are no files in " + path)
        made = self.post("/projects/%s/imports" % _name(project), {
            "format": format, "purpose": purpose, "model": model, "source": source, "voc_base": voc_base,
            "group_by": group_by, "add_classes": add_classes, "dry_run": dry_run,
        })
        place = "/imports/%d" % made["id"]
        try:
            self._upload(place, files, progress)
        except BaseException:
            self.post(place + "/cancel")
            raise
        self.post(place + "/start")
        done = self._until(place, ("uploading", "queued", "running"))
        if done["state"] != "done":
            raise Problem(422, "the import is " + done["state"], done.get("error") or "The import is %s." % done["state"])
        return done

    def import_results(self, id, outcome=None):
        """Yields what became of each record of an import; outcome is added, changed, unchanged, refused or lost."""
        return self.list("/imports/%d/results" % id, limit=1000, outcome=outcome)

    def _upload(self, place, files, progress):
        total, arrived = sum(size for _, _, size in files), []
        with concurrent.futures.ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            for start in range(0, len(files), FILES_ANNOUNCED):
                some = files[start:start + FILES_ANNOUNCED]
                answer = self.post(place + "/files", {"files": [{"name": name, "size": size} for _, name, size in some]})

                def put(pair):
                    (path, _, size), at = pair
                    self._upload_file(place, path, size, at, answer["part_size"])
                    arrived.append(size)
                    if progress:
                        progress(sum(arrived), total)

                for _ in pool.map(put, zip(some, answer["files"])):
                    pass

    def _upload_file(self, place, path, size, at, part_size):
        with open(path, "rb") as file:
            while not at["complete"]:
                file.seek(at["received"])
                part = file.read(min(part_size, size - at["received"]))
                if len(part) < min(part_size, size - at["received"]):
                    raise OSError("%s has become shorter while it was uploaded" % path)
                address = "%s/files/%d?offset=%d" % (place, at["id"], at["received"])
                at = self._json("PUT", address, part, {"Content-Type": "application/octet-stream"})

    # Datasets

    def freeze(self, dataset, projects, seed=None, shares=None, recipe=None):
        """Freezes the next version of a dataset from the truth of these projects, and returns it.

        shares is a dict of training, validation and test, which add up to 1. recipe is a dict of what else a recipe can
        say: filter, group, strata, sizes, retention.
        """
        recipe = dict(recipe or {}, projects=list(projects))
        if seed is not None:
            recipe["seed"] = seed
        if shares is not None:
            recipe["shares"] = shares
        made = self.post("/datasets/%s/versions" % _name(dataset), recipe)
        version = self._until("/datasets/%s/versions/%d" % (_name(made["dataset"]), made["number"]), ("freezing",))
        if version["state"] != "frozen":
            raise Problem(422, "the version is " + version["state"], version.get("error", ""))
        return version

    def export(self, dataset, number, format, out, media=False, personal=None, personal_reason=None):
        """Writes a version as a zip to the file out, checked against its checksum, and returns the export.

        format is coco, voc, yolo, yolo-obb, cvat, labelstudio, parquet or huggingface; of speech nemo, ctm, stm, vtt, srt, textgrid,
        parquet or huggingface. What it cannot hold stands in the archive's report.json; "losses" counts it. personal says what becomes
        of personal data in speech: mask (which it is without), token, or keep with a personal_reason.
        """
        ask = {"format": format, "media": media}
        if personal is not None:
            ask["personal"] = personal
        if personal_reason is not None:
            ask["personal_reason"] = personal_reason
        made = self.post("/datasets/%s/versions/%d/exports" % (_name(dataset), number), ask)
        place = "/exports/%d" % made["id"]
        done = self._until(place, ("queued", "running"))
        if done["state"] != "done":
            raise Problem(422, "the export is " + done["state"], done.get("error", ""))
        self._download(place + "/archive", done, out)
        return done

    def _download(self, path, export, out):
        """Goes on after a broken connection where it stopped."""
        part = out + ".part"
        try:
            with open(part, "wb") as file:
                def receive():
                    headers = {"Range": "bytes=%d-" % file.tell(), "If-Range": '"%s"' % export["sha256"]} if file.tell() else {}
                    self._send("GET", path, save, headers=headers)
                    if file.tell() < export["bytes"]:
                        raise http.client.IncompleteRead(b"", export["bytes"] - file.tell())

                def save(answer):
                    if answer.status != 206:
                        file.seek(0)
                        file.truncate()
                    while True:
                        block = answer.read(1 << 20)
                        if not block:
                            return
                        file.write(block)

                self._retried(receive)
            digest = hashlib.sha256()
            with open(part, "rb") as file:
                for block in iter(lambda: file.read(1 << 20), b""):
                    digest.update(block)
            if digest.hexdigest() != export["sha256"]:
                raise OSError("what arrived has sha256 %s, the server's archive %s: try again" % (digest.hexdigest(), export["sha256"]))
            os.replace(part, out)
        except BaseException:
            if os.path.exists(part):
                os.remove(part)
            raise


def _problem(error, url):
    """Makes a Problem of an answer that says no."""
    try:
        document = json.loads(error.read() or b"{}")
    except (ValueError, http.client.HTTPException, OSError):
        document = None
    if not isinstance(document, dict):
        return Problem(error.code, detail="%s answered %d: is that a Fiducial server?" % (url, error.code))
    detail = document.get("detail", "")
    if error.code == 401:
        detail = "%s does not know this token: it may have been revoked, or be another server's" % url
    return Problem(error.code, document.get("title", ""), detail, document.get("errors"))


def _name(name):
    return urllib.parse.quote(name, safe="")


def _query(values):
    values = {name: value for name, value in values.items() if value is not None}
    return "?" + urllib.parse.urlencode(values) if values else ""


def _files(path):
    """Lists what is to be uploaded: where it lies, its name in the import, its size. Hidden files stay where they are."""
    if not os.path.isdir(path):
        return [(path, os.path.basename(path), os.path.getsize(path))]
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = os.path.join(folder, name)
            if not name.startswith(".") and os.path.isfile(file):
                found.append((file, os.path.relpath(file, path).replace(os.sep, "/"), os.path.getsize(file)))
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description="A client of Fiducial.", epilog="The server and the token are FIDUCIAL_URL and FIDUCIAL_TOKEN.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("projects", help="list the projects")
    command = commands.add_parser("import", help="bring in a file, a zip or a folder")
    command.add_argument("project")
    command.add_argument("path")
    command.add_argument("--format", required=True, choices=["images", "coco", "voc", "yolo", "cvat", "labelstudio"])
    command.add_argument("--as", dest="purpose", default="media", choices=["media", "truth", "prefill", "prediction"])
    command.add_argument("--model", default="", metavar="NAME@VERSION")
    command.add_argument("--source", default="")
    command.add_argument("--voc-base", type=int, default=1, choices=[0, 1])
    command.add_argument("--add-classes", action="store_true")
    command.add_argument("--dry-run", action="store_true", help="check everything and change nothing")
    command = commands.add_parser("freeze", help="freeze the next version of a dataset")
    command.add_argument("dataset")
    command.add_argument("projects", nargs="+", metavar="project")
    command = commands.add_parser("export", help="write a version as a zip")
    command.add_argument("dataset")
    command.add_argument("number", type=int)
    command.add_argument("--format", required=True, choices=[
        "coco", "voc", "yolo", "yolo-obb", "cvat", "labelstudio", "parquet", "huggingface", "nemo", "ctm", "stm", "vtt", "srt", "textgrid"])
    command.add_argument("--media", action="store_true", help="with the images, or clips of sound")
    command.add_argument("--personal", choices=["mask", "token", "keep"], help="what becomes of personal data in speech")
    command.add_argument("--personal-reason", help="why they are kept")
    command.add_argument("--out", required=True, metavar="FILE.zip")
    command = commands.add_parser("agreement", help="how far the labelers of a project agree")
    command.add_argument("project")
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except (Problem, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(given):
    """Prints the answer as JSON, a line for each row; returns the exit code."""
    server, code = Server(), 0
    if given.command == "projects":
        answer = server.projects()
    elif given.command == "import":
        done = server.import_folder(given.project, given.path, given.format, given.purpose, model=given.model, source=given.source,
                                    voc_base=given.voc_base, add_classes=given.add_classes, dry_run=given.dry_run)
        for result in server.import_results(done["id"], "refused"):
            print("%s: %s" % (result["name"], result.get("reason", "")), file=sys.stderr)
            code = 1
        answer = [done]
    elif given.command == "freeze":
        answer = [server.freeze(given.dataset, given.projects)]
    elif given.command == "export":
        answer = [server.export(given.dataset, given.number, given.format, given.out, media=given.media, personal=given.personal,
                                personal_reason=given.personal_reason)]
    else:
        answer = [server.agreement(given.project)]
    for row in answer:
        print(json.dumps(row, ensure_ascii=False))
    return code


if __name__ == "__main__":
    sys.exit(main())
