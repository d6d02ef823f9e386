"""A stranger's client for the cart example: Python's own HTTP client and cookie jar, nothing else.

    python3 tests/cart/cart.py http://127.0.0.1:3000
"""

import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar, DefaultCookiePolicy


class Visitor:
    def __init__(self, url):
        self.url = url
        # The session cookie is Secure. This jar keeps it from plain HTTP, loopback included, unless
        # told otherwise.
        self.jar = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def call(self, method, path, body=None, form=None):
        request = urllib.request.Request(self.url + path, method=method)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        elif form is not None:
            request.data = urllib.parse.urlencode(form).encode()
        try:
            with self.opener.open(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def json(self, method, path, body=None):
        status, text = self.call(method, path, body)
        check(status, 200)
        return json.loads(text)

    def ticket(self):
        return {cookie.name: cookie.value for cookie in self.jar}.get("__Host-id")


def check(actual, expected):
    if actual != expected:
        raise SystemExit(f"expected {expected!r}, got {actual!r}")


def shopping(url):
    alice = Visitor(url)
    check(alice.json("GET", "/api/session")["count"], 0)
    check(alice.ticket(), None)
    check(alice.json("POST", "/api/items", {"sku": "apple", "qty": 2})["items"], {"apple": 2})
    (cookie,) = alice.jar
    check((cookie.secure, cookie.path, cookie.discard), (True, "/", True))
    check((cookie.has_nonstandard_attr("HttpOnly"), cookie.domain_specified), (True, False))

    before = alice.ticket()
    logged_in = alice.json("POST", "/api/login", {"user": "alice"})
    check((logged_in["user"], logged_in["items"]), ("alice", {"apple": 2}))
    check(alice.ticket() == before, False)

    status, page = alice.call("POST", "/cart/add", form={"sku": "pear", "qty": 1})
    check((status, 'id="count">3<' in page), (200, True))
    check(alice.json("DELETE", "/api/items/pear")["items"], {"apple": 2})
    status, text = alice.call("POST", "/api/items", {"sku": "no such/sku", "qty": 1})
    check((status, "error" in json.loads(text)), (400, True))

    check(alice.call("POST", "/api/logout"), (204, ""))
    check(alice.ticket(), None)
    check(alice.json("GET", "/api/session")["user"], None)


def at_once(url):
    bob = Visitor(url)
    bob.json("POST", "/api/items", {"sku": "plum", "qty": 1})
    answers = []

    def add():
        answers.append(bob.call("POST", "/api/items", {"sku": "plum", "qty": 1})[0])

    threads = [threading.Thread(target=add) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(answers, [200] * 16)
    check(bob.json("GET", "/api/session")["items"], {"plum": 17})


if __name__ == "__main__":
    shopping(sys.argv[1])
    at_once(sys.argv[1])
    print("all is well")
