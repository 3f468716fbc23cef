// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import Testing

@Suite("Form fields") struct FormFieldsTests {
    private func fields(_ text: String, maximumBytes: Int = 100) throws -> FormFields {
        try FormFields(parsing: text.utf8, maximumBytes: maximumBytes)
    }

    @Test func namesAndValuesAreDecoded() throws {
        let form = try fields("a=1&b=x%20y+z&c=&d&e=%C3%A9%3D=&&")
        #expect(form["a"] == "1" && form["b"] == "x y z" && form["c"] == "" && form["d"] == "")
        #expect(form["e"] == "é==" && form["f"] == nil)
        #expect(try fields("")["a"] == nil)
    }

    @Test(arguments: [
        "a=1&a=2", "a=1&%61=2", "a=%", "a=%4", "a=%zz", "a=%ff", "a=%00", "a=%0a", "a=%e2%80%ae",
    ])
    func whatCouldBeReadInTwoWaysIsRefused(text: String) {
        #expect(throws: ControlProtocolError.self) { try fields(text) }
    }

    @Test func aFormHasAnEnd() throws {
        #expect(try fields("a=345", maximumBytes: 5)["a"] == "345")
        #expect(throws: ControlProtocolError(.tooLong, "")) { try fields("a=3456", maximumBytes: 5) }
        let many = (0..<FormFields.maximumFields).map { "f\($0)=1" }.joined(separator: "&")
        #expect(try fields(many, maximumBytes: 1_000)["f31"] == "1")
        #expect(throws: ControlProtocolError(.tooLong, "")) { try fields(many + "&g=1", maximumBytes: 1_000) }
    }
}
