// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority
import ControlProtocol
import HTTPTypes
import Hummingbird
import Logging
import SSHWire

/// Makes problem details of every error, counts every request, and writes one line of the log for each.
struct ProblemMiddleware: RouterMiddleware {
    let metrics: PlaneMetrics
    let limits: RequestLimits

    func handle(
        _ request: Request, context: PlaneContext,
        next: @concurrent (Request, PlaneContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        var response: Response
        let operation = context.endpointPath.flatMap { Operation.find(request.method, $0) }
        do {
            // Whoever is logged in is counted where their proof is checked.
            if operation?.access ?? .anybody == .anybody {
                try limits.count(context.sourceAddress, cost: operation?.cost ?? 1)
            }
            response = try await next(request, context)
        } catch {
            var problem = Self.problem(error)
            problem.requestID = context.id
            var allowed: [String] = []
            if problem.code == .notFound, context.endpointPath == "NotFound" {
                allowed = Operation.methods(at: Substring(request.uri.path))
                if !allowed.isEmpty {
                    problem.code = .methodNotAllowed
                    problem.detail = "this path takes \(allowed.joined(separator: ", "))"
                }
            }
            if problem.code == .internalError || problem.code.status == 503 {
                context.logger.error(
                    "request failed",
                    metadata: ["daypass.error": "\("\(error)".escapedForTerminal)"])
            }
            response = operation?.isPage == true ? Page.answer(problem) : Response(problem)
            if !allowed.isEmpty { response.headers[.allow] = allowed.joined(separator: ", ") }
            if request.method == .head { response = response.createHeadResponse() }
        }
        response.headers[.requestID] = context.id
        let elapsed = ContinuousClock.now - start
        metrics.count(route: context.endpointPath ?? "other", status: response.status.code, elapsed)
        context.logger.debug(
            "request",
            metadata: [
                "daypass.method": "\(request.method)",
                "daypass.path": "\((request.head.path ?? "").escapedForTerminal)",
                "daypass.status": "\(response.status.code)",
                "daypass.source": "\(context.sourceAddress?.description ?? "")",
            ])
        return response
    }

    static func problem(_ error: any Error) -> Problem {
        switch error {
        case let problem as Problem: problem
        case let error as CertAuthorityError: Problem(error)
        case let error as ControlProtocolError: Problem(error)
        case let error as HTTPError: Self.problem(error)
        default: Problem(.internalError, "something went wrong here")
        }
    }

    private static func problem(_ error: HTTPError) -> Problem {
        switch error.status {
        case .notFound: Problem(.notFound, "there is nothing at this path")
        case .methodNotAllowed: Problem(.methodNotAllowed, "this path does not take this method")
        case .contentTooLarge: Problem(.tooLarge, "the body is too large")
        default: Problem(.invalidRequest, "the request can't be read")
        }
    }
}

extension HTTPField.Name {
    /// The request's name in the server's log.
    static let requestID = unsafe HTTPField.Name("X-Request-Id").unsafelyUnwrapped
}
