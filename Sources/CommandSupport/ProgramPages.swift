// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)
    import CLinux
#endif

/// Gives back the pages of the program itself that only its start needed.
///
/// A service reads most of its file while it starts: settings, protocol tables, a database's schema. The kernel keeps
/// all of that in the process's resident memory for as long as it runs. To be called once the start is over; elsewhere
/// than on Linux it does nothing.
public func dropStartupPages() {
    #if os(Linux)
        daypass_drop_program_pages()
    #endif
}
