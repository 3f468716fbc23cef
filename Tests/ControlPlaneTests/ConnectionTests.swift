// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import CertAuthority
import NIOCore
import NIOHTTP1
import NIOSSL
import Testing

@testable import ControlPlane

/// Connections that take their time, over real sockets. The server's own times are shortened, to what a busy machine still
/// keeps; what is checked is that each of them ends a connection, and none before its time.
@Suite("Slow and silent connections") struct ConnectionTests {
    private static let limit: Duration = .seconds(60)

    private static func settings(
        head: Int64 = 30_000, body: Int64 = 30_000, answer: Int64 = 30_000, idle: Int64 = 30_000
    ) -> PlaneServer.Settings {
        var settings = PlaneServer.Settings()
        settings.times.head = .milliseconds(head)
        settings.times.body = .milliseconds(body)
        settings.times.answer = .milliseconds(answer)
        settings.times.idle = .milliseconds(idle)
        return settings
    }

    private static let get = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    private func expectCut(_ connection: RawConnection, notBefore: Duration = .milliseconds(500)) async {
        let lasted = await connection.closed(within: Self.limit)
        #expect(lasted != nil, "it is still open")
        if let lasted { #expect(lasted >= notBefore, "cut after \(lasted)") }
    }

    @Test func attack55_aConnectionThatIsSilentIsCut() async throws {
        try await TestPlane.with(settings: Self.settings(head: 3_000)) { plane in
            await expectCut(try await RawConnection(port: plane.port))
        }
    }

    @Test func attack55_aHandshakeThatStopsIsCut() async throws {
        try await TestPlane.with(settings: Self.settings(head: 3_000)) { plane in
            let connection = try await RawConnection(port: plane.port)
            // The beginning of a ClientHello, and of nothing.
            try? await connection.say([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00])
            await expectCut(connection)
            let slow = try await RawConnection(port: plane.port)
            async let dripping: Void = slow.drip(
                String(repeating: "\u{16}\u{3}\u{1}", count: 100), every: .milliseconds(100))
            #expect(await slow.closed(within: Self.limit) != nil)
            await dripping
        }
    }

    @Test func attack55_aConnectionThatIsSilentAfterTheHandshakeIsCut() async throws {
        try await TestPlane.with(settings: Self.settings(head: 3_000)) { plane in
            await expectCut(try await RawConnection(port: plane.port, rootPEM: plane.rootPEM))
        }
    }

    @Test func attack55_aSlowHeadIsCutHoweverOftenAByteComes() async throws {
        try await TestPlane.with(settings: Self.settings(head: 3_000)) { plane in
            let connection = try await RawConnection(port: plane.port, rootPEM: plane.rootPEM)
            async let dripping: Void = connection.drip(
                "GET /healthz HTTP/1.1\r\nX: " + String(repeating: "a", count: 1_000),
                every: .milliseconds(100))
            await expectCut(connection)
            await dripping
            #expect(!connection.text.contains("200"))
        }
    }

    @Test func attack55_aSlowHeadBehindAGoodRequestIsCut() async throws {
        try await TestPlane.with(settings: Self.settings(head: 3_000)) { plane in
            let connection = try await RawConnection(
                port: plane.port, rootPEM: plane.rootPEM, saying: Self.get)
            #expect(await connection.hasReceived("\"ok\""))
            async let dripping: Void = connection.drip(
                "GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 1_000), every: .milliseconds(100))
            await expectCut(connection)
            await dripping
        }
    }

    @Test func attack55_aSlowBodyIsCutHoweverOftenAByteComes() async throws {
        try await TestPlane.with(settings: Self.settings(body: 3_000)) { plane in
            let connection = try await RawConnection(
                port: plane.port, rootPEM: plane.rootPEM,
                saying: "POST /v1/login/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n")
            async let dripping: Void = connection.drip(
                String(repeating: "a", count: 1_000), every: .milliseconds(100))
            await expectCut(connection)
            await dripping
        }
    }

    @Test func attack55_aBodyThatNeverComesOverHTTP2IsCut() async throws {
        try await TestPlane.with(settings: Self.settings(body: 3_000)) { plane in
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .certificates(
                try NIOSSLCertificate.fromPEMBytes(Array(plane.rootPEM.utf8)))
            let http = HTTPClient(
                eventLoopGroupProvider: .singleton, configuration: .init(tlsConfiguration: tls))
            let health = HTTPClientRequest(url: "https://\(plane.name)/healthz")
            // A client that is not shut down ends the process: nothing is thrown before.
            let good = try? await http.execute(health, timeout: .seconds(60))
            #expect(good?.status == .ok && good?.version == .http2)
            var request = HTTPClientRequest(url: "https://\(plane.name)/v1/login/keys")
            request.method = .POST
            let silent = AsyncStream<ByteBuffer>.makeStream()
            silent.continuation.yield(ByteBuffer(string: "{"))
            request.body = .stream(silent.stream, length: .unknown)
            let start = ContinuousClock.now
            await #expect(throws: (any Error).self) {
                _ = try await http.execute(request, timeout: .seconds(20))
            }
            #expect(ContinuousClock.now - start < Self.limit)
            let again = try? await http.execute(health, timeout: .seconds(60))
            #expect(again?.status == .ok, "other streams go on")
            try await http.shutdown()
        }
    }

    @Test func attack55_aHalfClosedConnectionIsCut() async throws {
        try await TestPlane.with(settings: Self.settings(head: 3_000, body: 3_000)) { plane in
            let plain = try await RawConnection(port: plane.port)
            // Where the machine is busy, it is cut before this.
            try? await plain.channel.close(mode: .output).get()
            #expect(await plain.closed(within: Self.limit) != nil)
            let half = try await RawConnection(port: plane.port, rootPEM: plane.rootPEM)
            try? await half.say("GET /healthz HTTP/1.1\r\n")
            try? await half.channel.close(mode: .output).get()
            #expect(await half.closed(within: Self.limit) != nil)
            let body = try await RawConnection(port: plane.port, rootPEM: plane.rootPEM)
            try? await body.say(
                "POST /v1/login/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{")
            try? await body.channel.close(mode: .output).get()
            #expect(await body.closed(within: Self.limit) != nil)
        }
    }

    @Test func anIdleConnectionIsCutLaterThanASlowOne() async throws {
        // Long enough for a client that the machine lets wait.
        try await TestPlane.with(settings: Self.settings(head: 5_000, idle: 7_000)) { plane in
            let connection = try await RawConnection(
                port: plane.port, rootPEM: plane.rootPEM, saying: Self.get)
            #expect(await connection.hasReceived("\"ok\""))
            await expectCut(connection, notBefore: .milliseconds(6_500))
        }
    }

    @Test func attack55_whileFiftyHangAGoodClientIsAnswered() async throws {
        // They are to hang for as long as this takes: on a busy machine more than the 30 s of a connection that is idle.
        let hour: Int64 = 3_600_000
        let settings = Self.settings(head: hour, body: hour, answer: hour, idle: hour)
        try await TestPlane.with(settings: settings) { plane in
            var hanging: [RawConnection] = []
            for number in 0..<50 {
                let connection = try await RawConnection(
                    port: plane.port, rootPEM: number % 3 == 0 ? nil : plane.rootPEM)
                if number % 3 == 1 { try await connection.say("GET /healthz HT") }
                if number % 3 == 2 {
                    try await connection.say(
                        "POST /v1/login/keys HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{")
                }
                hanging.append(connection)
            }
            let session = try await plane.parts.session()
            for _ in 0..<20 {
                let answer = try await plane.send(
                    TestRequest("POST", "/v1/certificates", try Sample.wish(), by: session))
                #expect(answer.status == 201)
            }
            #expect(hanging.allSatisfy { $0.channel.isActive })
            for connection in hanging { try? await connection.channel.close().get() }
        }
    }

    @Test func attack55_oneAddressHasSoManyConnectionsAndNoMore() async throws {
        let limits = ServerConfiguration.Limits.with {
            $0.connectionsPerAddress = 4
            $0.perAddress = 1_000
        }
        try await TestPlane.with(limits, settings: Self.settings()) { plane in
            var open: [RawConnection] = []
            for _ in 0..<4 {
                let connection = try await RawConnection(
                    port: plane.port, rootPEM: plane.rootPEM, saying: Self.get)
                #expect(await connection.hasReceived("\"ok\""))
                open.append(connection)
            }
            #expect(
                await (try RawConnection(port: plane.port)).closed(within: .seconds(5)) != nil)
            try await open.removeFirst().channel.close().get()
            // The server sees the end a moment later.
            var isAnswered = false
            for _ in 0..<100 where !isAnswered {
                let next = try await RawConnection(port: plane.port, rootPEM: plane.rootPEM)
                try? await next.say(Self.get)
                isAnswered = await next.hasReceived("\"ok\"", within: .milliseconds(300))
                try? await next.channel.close().get()
            }
            #expect(isAnswered)
            for connection in open { try? await connection.channel.close().get() }
        }
    }

    private static let noHTTP = [
        "NONSENSE\r\n\r\n", "GET\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nno colon\r\n\r\n", "\u{16}\u{3}\u{1}\r\n\r\n",
        "BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /v1/explain HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/explain HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nX: " + String(repeating: "a", count: 40_000) + "\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n" + String(repeating: "X: a\r\n", count: 100) + "\r\n",
    ]

    @Test func whatIsNoHTTPIsAProblemAndTheEnd() async throws {
        try await TestPlane.with(settings: Self.settings()) { plane in
            await withTaskGroup(of: Void.self) { group in
                for text in Self.noHTTP {
                    group.addTask {
                        let answer = await Self.answer(to: text, plane)
                        #expect(
                            answer?.hasPrefix("HTTP/1.1 400") == true, "\(text.prefix(40)): \(answer ?? "")")
                        #expect(answer?.contains("application/problem+json") == true)
                        #expect(answer?.contains("\"invalid-request\"") == true)
                        #expect(answer?.lowercased().contains("x-request-id: ") == true)
                    }
                }
            }
            let good = try await plane.send(TestRequest("GET", "/healthz"))
            #expect(good.status == 200)
        }
    }

    /// All that comes until the server closes.
    private static func answer(to text: String, _ plane: TestPlane) async -> String? {
        guard let connection = try? await RawConnection(port: plane.port, rootPEM: plane.rootPEM) else {
            return nil
        }
        try? await connection.say(text)
        #expect(await connection.closed(within: limit) != nil)
        return connection.text
    }
}
