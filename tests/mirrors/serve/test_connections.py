from concurrent.futures import ThreadPoolExecutor

from tests.independent.wire import connect, parse, request, rest, say


def test_pipelined_requests_are_answered_in_order(url: str, data: bytes) -> None:
    requests_ = [
        request("/sub/data", Connection="keep-alive", Range="bytes=0-9"),
        request("/no", "HEAD", Connection="keep-alive"),
        b"\r\n" + request("/sub/data", "HEAD", Connection="keep-alive"),
        request("/sub/data", Range="bytes=10-19"),
    ]
    with connect(url) as connection:
        connection.sendall(b"".join(requests_))
        replies = rest(connection).split(b"HTTP/1.1 ")[1:]
    assert [reply[:3] for reply in replies] == [b"206", b"404", b"200", b"206"]
    assert replies[0].endswith(data[:10])
    assert replies[3].endswith(data[10:20])


def test_http_1_0_connection_is_closed_unless_kept_alive(url: str, data: bytes) -> None:
    assert say(url, b"GET /sub/data HTTP/1.0\r\n\r\n").body == data
    with connect(url) as connection:
        connection.sendall(b"HEAD /empty HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert b"keep-alive" in connection.recv(65536)
        connection.sendall(b"GET /sub/data HTTP/1.0\r\n\r\n")
        assert parse(rest(connection)).body == data


def test_two_hundred_clients_are_served_at_once(url: str, data: bytes) -> None:
    connections = [connect(url) for _ in range(200)]
    for connection in connections:
        connection.sendall(request("/sub/data"))
    with ThreadPoolExecutor(16) as pool:
        for reply in pool.map(lambda connection: parse(rest(connection)), connections):
            assert reply.body == data
    for connection in connections:
        connection.close()
