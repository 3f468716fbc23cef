// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension ServerConfiguration {
    /// How often and by how many connections the server may be asked (`limits:`).
    public struct Limits: Sendable, Hashable {
        /// Requests a second of one identity that is logged in, and how many may come at once.
        public var perIdentity = 50
        public var perIdentityBurst = 200
        /// The same for one source address, of requests without login.
        public var perAddress = 50
        public var perAddressBurst = 200
        /// The most connections, of all and of one source address.
        public var connections = 4_096
        public var connectionsPerAddress = 256

        /// No limit can be set higher.
        private static let maximum = 1_000_000

        public init() {}

        init(
            _ mapping: YAMLMapping?, name: String, _ setting: (String, String?) -> String?
        ) throws(CertAuthorityError) {
            var mapping = mapping
            func read(_ key: String, _ limit: inout Int) throws(CertAuthorityError) {
                guard let text = setting("limits." + key, try mapping?.text(key)) else { return }
                guard let number = Int(text), (1...Self.maximum).contains(number) else {
                    throw CertAuthorityError(
                        .configuration,
                        "\(name): limits.\(key): a number from 1 to \(Self.maximum) expected")
                }
                limit = number
            }
            try read("per_identity", &perIdentity)
            try read("per_identity_burst", &perIdentityBurst)
            try read("per_address", &perAddress)
            try read("per_address_burst", &perAddressBurst)
            try read("connections", &connections)
            try read("connections_per_address", &connectionsPerAddress)
            try mapping?.finish()
        }
    }
}
