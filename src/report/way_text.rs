//! Why a file is needed for the boot, for people.

use super::Page;
use crate::facts::critical::Role;
use crate::facts::critical::way::Way;

/// The way to a file, one place a line.
pub fn text(way: &Way) -> String {
    let mut page = Page::default();
    let role = way.role.map_or("PID 1 itself", word);
    page.item(
        "",
        4,
        &format!("{} is needed for the boot: {role}.", way.path),
    );
    page.line("");
    for (depth, place) in way.places.iter().enumerate() {
        let first = if depth == 0 { "" } else { "-> " };
        page.item(&format!("  {first}"), 8, &place.what);
        if !place.how.is_empty() {
            page.item("       ", 9, &format!("({})", place.how));
        }
    }
    page.line("");
    let programs = match way.programs {
        0 => "No other program of the boot uses it.".to_owned(),
        1 => "One program of the boot uses it.".to_owned(),
        more => format!("{more} programs of the boot use it."),
    };
    page.line(&programs);
    page.finish()
}

/// What is lost without a program of this role.
pub fn word(role: Role) -> &'static str {
    match role {
        Role::Helper => "a helper of udev, the kernel or a login",
        Role::Generator => "units made from the configuration",
        Role::Service => "a service",
        Role::Shell => "a user's shell",
        Role::Console => "the login at the console",
        Role::Remote => "the login over the network",
        Role::Device => "devices and their names",
        Role::Mount => "mounting what fstab names",
        Role::Manager => "every service",
    }
}
