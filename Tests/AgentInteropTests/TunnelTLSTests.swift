// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import TestSupport
import Testing

/// The tunnel over TLS, with certificates of openssl's: a root, and a server's for localhost.
@Suite struct TunnelTLSTests {
    /// Writes root.pem, server.pem (its chain) and server.key.
    private static func makeCertificates(_ folder: TemporaryFolder, name: String = "localhost") throws {
        let run = { (arguments: [String]) in
            _ = try Tool.run("openssl", arguments, in: folder.path).orThrow("openssl")
        }
        for (key, subject) in [("root", "/CN=test root"), ("server", "/CN=test server")] {
            try run([
                "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                "\(key).key",
                "-out", "\(key).csr", "-subj", subject,
            ])
        }
        try folder.write("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n", to: "root.ext")
        try folder.write("subjectAltName=DNS:\(name)\nextendedKeyUsage=serverAuth\n", to: "server.ext")
        try run([
            "x509", "-req", "-in", "root.csr", "-signkey", "root.key", "-days", "1", "-extfile", "root.ext",
            "-out", "root.pem",
        ])
        try run([
            "x509", "-req", "-in", "server.csr", "-CA", "root.pem", "-CAkey", "root.key", "-days", "1",
            "-extfile",
            "server.ext", "-out", "leaf.pem",
        ])
        try folder.write(try folder.read("leaf.pem") + folder.read("root.pem"), to: "server.pem")
    }

    private static func fingerprint(_ folder: TemporaryFolder, _ file: String) throws -> String {
        let output = try Tool.run(
            "openssl", ["x509", "-in", folder.path(file), "-noout", "-fingerprint", "-sha256"]
        )
        .orThrow("fingerprint").stdoutText
        return "SHA256:" + (output.split(separator: "=").last?.split(separator: "\n").first ?? "")
    }

    private func scene(
        _ folder: TemporaryFolder, configuration: String, environment: [String: String] = [:]
    ) throws -> TunnelScene {
        try TunnelScene(
            serverArguments: ["--tls", folder.path("server.pem"), folder.path("server.key")],
            environment: environment, url: { "wss://localhost:\($0)/socket" }, configuration: configuration)
    }

    private func expectConnection(_ scene: TunnelScene) throws {
        _ = try scene.waitForMessage("setClientId") { $0["method"] == "setClientId" }
        #expect(scene.said.contains("TLSv1.3"))
    }

    private func expectRefusal(_ scene: TunnelScene, _ reason: String) throws {
        try scene.waitUntilSaid("TLS: the server's certificate: \(reason)")
        // The token was sent to nobody.
        #expect(try scene.server.events("request") == [])
    }

    @Test(arguments: ["root.pem", "leaf.pem"])
    func aPinnedCertificateIsTheOnlyRoot(file: String) throws {
        let folder = try TemporaryFolder()
        try Self.makeCertificates(folder)
        try expectConnection(
            try scene(folder, configuration: "tunnelFingerprint: \"\(try Self.fingerprint(folder, file))\"\n")
        )
    }

    @Test func attack65_anotherCertificateThanThePinnedOneIsRefusedBeforeATokenIsSent() throws {
        let (folder, other) = (try TemporaryFolder(), try TemporaryFolder())
        try Self.makeCertificates(folder)
        try Self.makeCertificates(other)
        // The system would trust this one: the pin counts alone.
        let scene = try scene(
            folder, configuration: "tunnelFingerprint: \"\(try Self.fingerprint(other, "root.pem"))\"\n",
            environment: ["SSL_CERT_FILE": folder.path("root.pem")])
        try expectRefusal(scene, "another certificate than the one that was named")
    }

    @Test func attack65_aPinnedRootsCertificateForAnotherNameIsRefused() throws {
        let folder = try TemporaryFolder()
        try Self.makeCertificates(folder, name: "elsewhere.example.com")
        let scene = try scene(
            folder, configuration: "tunnelFingerprint: \"\(try Self.fingerprint(folder, "root.pem"))\"\n")
        try expectRefusal(scene, "hostname mismatch")
    }

    @Test func theSystemsRootsAreTakenFromTheirFolderOrTheirFile() throws {
        let folder = try TemporaryFolder()
        try Self.makeCertificates(folder)
        try folder.makeFolder("certs", mode: 0o755)
        try folder.write(try folder.read("root.pem"), to: "certs/root.pem")
        try Tool.run("openssl", ["rehash", folder.path("certs")]).orThrow("rehash")
        try expectConnection(
            try scene(
                folder, configuration: "",
                environment: ["SSL_CERT_DIR": folder.path("certs"), "SSL_CERT_FILE": "/dev/null"]))
        try expectConnection(
            try scene(
                folder, configuration: "",
                environment: ["SSL_CERT_DIR": folder.path("none"), "SSL_CERT_FILE": folder.path("root.pem")]))
    }

    @Test func aRootThatTheSystemDoesNotKnowIsRefused() throws {
        let folder = try TemporaryFolder()
        try Self.makeCertificates(folder)
        try expectRefusal(
            try scene(folder, configuration: ""), "self-signed certificate in certificate chain")
    }
}
