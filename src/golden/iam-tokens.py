#!/usr/bin/env python3
"""ElastiCache IAM tokens, computed from SigV4's definition with Python's standard library alone.

Without arguments: the golden file `iam-tokens-v1.txt`. With arguments (milliseconds, how many
seconds, cache, user, `nodes` or `serverless`): one token for each of these seconds, with the keys of
the environment.

The definition:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import os
import sys
from datetime import datetime, timezone
from urllib.parse import quote

REGION = "eu-west-1"
KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION = "IQoJb3JpZ2luX2VjE+/=&%20"


def keyed(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def token(millis, cache, user, serverless, session, key_id=KEY_ID, secret=SECRET):
    moment = datetime.fromtimestamp(millis // 1000, timezone.utc)
    day, date = moment.strftime("%Y%m%d"), moment.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{day}/{REGION}/elasticache/aws4_request"
    host = cache.lower()
    query = {"Action": "connect", "User": user}
    if serverless:
        query["ResourceType"] = "ServerlessCache"
    query |= {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key_id}/{scope}",
        "X-Amz-Date": date,
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
    }
    # Any order will do for ElastiCache. This one is AWS' signer's, so that bytes can be compared.
    signature_at = len(query)
    if session:
        query["X-Amz-Security-Token"] = session
    encoded = [f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query.items()]
    canonical = "&".join(sorted(encoded))
    request = "\n".join(["GET", "/", canonical, f"host:{host}", "", "host", hashlib.sha256(b"").hexdigest()])
    digest = hashlib.sha256(request.encode()).hexdigest()
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, digest])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = keyed(key, part)
    encoded.insert(signature_at, f"X-Amz-Signature={keyed(key, to_sign).hex()}")
    return f"{host}/?{'&'.join(encoded)}"


def golden():
    print("# milliseconds, cache, user, kind, credentials, token. Written by iam-tokens.py.")
    start = 1_800_000_000_000
    cases = [(start, "shop-cache", "shop", kind, keys) for kind in ("nodes", "serverless") for keys in ("keys", "session")]
    cases += [(start + 123 + hour * 3_600_000, "shop-cache", "shop", "nodes", "keys") for hour in (1, 2)]
    # A day with leading zeros, a user whose name has to be encoded.
    cases.append((1_704_164_645_000, "a", "shop:é ~/", "nodes", "keys"))
    for millis, cache, user, kind, keys in cases:
        made = token(millis, cache, user, kind == "serverless", SESSION if keys == "session" else None)
        print(millis, cache, user, kind, keys, made, sep="\t")


def by_the_second(millis, seconds, cache, user, kind):
    keys = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    for second in range(int(seconds)):
        session = os.environ.get("AWS_SESSION_TOKEN")
        print(token(int(millis) + 1000 * second, cache, user, kind == "serverless", session, *keys))


if __name__ == "__main__":
    golden() if len(sys.argv) == 1 else by_the_second(*sys.argv[1:])
