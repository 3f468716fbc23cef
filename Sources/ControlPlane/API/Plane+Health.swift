// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import HTTPTypes
import Hummingbird
import NIOCore

extension Plane {
    func addHealth(_ router: Router<PlaneContext>) {
        // Alive: answers at all.
        router.get("healthz") { _, _ in Response(json: .object([.init("status", "ok")])) }
        // Ready: the store can be read. That it can be written is only known by writing.
        router.get("readyz") { [log] _, _ in
            _ = try await log.publishedSize()
            return Response(json: .object([.init("status", "ok")]))
        }
        router.get("metrics") { [self] _, _ in
            let counts = authority.requestCounts
            let text = metrics.text(gauges: [
                (
                    "daypass_sessions_open", "Sessions that have not ended.",
                    Double(authority.sessions.open(at: authority.now).count)
                ),
                ("daypass_requests_pending", "Requests that wait for approval.", Double(counts.pending)),
                ("daypass_grants_open", "Grants whose time is not up.", Double(counts.granted)),
                (
                    "daypass_reviews_open", "Access without approval that nobody has looked at.",
                    Double(counts.reviews)
                ),
                ("daypass_log_entries", "Entries in the log.", Double(try await log.publishedSize())),
            ])
            var fields = HTTPFields()
            fields[.contentType] = "text/plain; version=0.0.4; charset=utf-8"
            return Response(
                status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }
    }

    func addLog(_ router: Router<PlaneContext>) {
        router.get("log/**") { [log] request, context in
            let path = context.parameters.getCatchAll().joined(separator: "/")
            guard
                let bytes = try await path == "checkpoint"
                    ? log.publishedCheckpoint() : log.publishedTile(path)
            else { throw Problem(.notFound, "the log has nothing at this path") }
            var fields = HTTPFields()
            fields[.contentType] =
                path == "checkpoint" ? "text/plain; charset=utf-8" : "application/octet-stream"
            // A full tile never changes; what is partial or signed anew must be asked for again.
            fields[.cacheControl] =
                path == "checkpoint" || path.contains(".p/")
                ? "no-cache" : "public, max-age=31536000, immutable"
            return Response(
                status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        }
    }
}
