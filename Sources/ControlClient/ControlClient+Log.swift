// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import NIOCore
import NIOHTTP1

extension ControlClient {
    /// A file of the log as everybody may read it (C2SP tlog-tiles): `checkpoint`, or a tile's path. Nothing of it is
    /// verified.
    ///
    /// - Parameter maximumBytes: a larger one is refused.
    /// - Returns: nil when there is none.
    public func logFile(_ path: String, upTo maximumBytes: Int) async throws(ClientError) -> [UInt8]? {
        let request = HTTPClientRequest(url: "\(server.url)/log/\(path)")
        do {
            let response = try await http.execute(request, timeout: Self.timeout)
            switch response.status {
            case .ok: return Array(try await response.body.collect(upTo: maximumBytes).readableBytesView)
            case .notFound: return nil
            default:
                throw ClientError.notUnderstood("/log/\(path) is answered by status \(response.status.code)")
            }
        } catch let error as ClientError {
            throw error
        } catch is NIOTooManyBytesError {
            throw .notUnderstood("/log/\(path) has more than \(maximumBytes) bytes")
        } catch {
            throw Self.failure(error, server)
        }
    }
}
