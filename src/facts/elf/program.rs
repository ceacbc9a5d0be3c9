//! What the kernel does before the loader: execve(2).
//!
//! Sources: Linux fs/exec.c, fs/binfmt_elf.c, fs/binfmt_script.c.

use std::sync::Arc;

use nix::errno::Errno;

use super::damage::Damage;
use super::files::Opened;
use super::loader::Loader;
use super::object::Object;
use super::problem::{Closure, Loaded, Problem, links};
use super::script::{SEARCH_PATH, Shebang};
use crate::sys::root_dir::{DeadEnd, Kind};

/// Scripts that run scripts: the kernel allows five (`exec_binprm`).
const SCRIPTS_MAX: usize = 5;

/// One program on its way to being started.
pub(super) struct Start<'a, 'r> {
    loader: &'a Loader<'r>,
    closure: Closure,
    library_path: String,
    is_brief: bool,
}

impl<'a, 'r> Start<'a, 'r> {
    pub(super) fn new(loader: &'a Loader<'r>, path: &str) -> Self {
        let closure = Closure {
            program: path.to_owned(),
            ..Closure::default()
        };
        Self {
            loader,
            closure,
            library_path: String::new(),
            is_brief: false,
        }
    }

    /// Without telling what is loaded.
    pub(super) fn briefly(loader: &'a Loader<'r>, path: &str) -> Self {
        Self {
            is_brief: true,
            ..Self::new(loader, path)
        }
    }

    /// Told where to look for libraries.
    pub(super) fn with(self, library_path: &str) -> Self {
        Self {
            library_path: library_path.to_owned(),
            ..self
        }
    }

    pub(super) fn program(mut self) -> Closure {
        let program = self.closure.program.clone();
        match self.loader.files.resolve(&program) {
            Err(end) => self.problem(missing_program(&program, &end)),
            Ok((path, meta)) => {
                self.closure.path = Some(path.clone());
                if meta.kind == Kind::File && !meta.is_executable() {
                    self.problem(Problem::NotExecutable { path: path.clone() });
                }
                self.execute(&path, None, 0);
            }
        }
        self.closure
    }

    pub(super) fn library(mut self) -> Closure {
        let path = self.closure.program.clone();
        match self.loader.files.open(&path) {
            Ok(opened) => {
                self.closure.path = Some(opened.real_path.clone());
                match opened.object.as_ref() {
                    Ok(object) => self.load(&opened, object, object.interpreter.as_deref()),
                    Err(damage) => self.refused(&opened.real_path, None, damage),
                }
            }
            Err(_) => {
                if let Err(end) = self.loader.files.root.resolve(&path) {
                    self.problem(missing_program(&path, &end));
                }
            }
        }
        self.closure
    }

    /// Starts the file at the real path `path`, for the script `needed_by` if
    /// there is one.
    fn execute(&mut self, path: &str, needed_by: Option<&str>, depth: usize) {
        let opened = match self.loader.files.open(path) {
            Ok(opened) => opened,
            Err(errno) => {
                return self.refused(path, needed_by, &Damage::from(std::io::Error::from(errno)));
            }
        };
        match opened.object.as_ref() {
            Ok(object) => self.execute_elf(&opened, object),
            Err(damage) => match &opened.script {
                Some(shebang) if depth < SCRIPTS_MAX => self.execute_script(path, shebang, depth),
                _ => self.refused(path, needed_by, damage),
            },
        }
    }

    fn execute_elf(&mut self, opened: &Arc<Opened>, object: &Object) {
        let Some(interpreter) = &object.interpreter else {
            return; // static: the kernel starts it without help
        };
        if self.closure.interpreter.is_none() {
            self.closure.interpreter = Some(interpreter.clone());
        }
        self.check_loader(interpreter, opened, object);
        self.load(opened, object, Some(interpreter));
    }

    fn load(&mut self, opened: &Arc<Opened>, object: &Object, interpreter: Option<&str>) {
        let (objects, problems) = self.loader.load(
            opened,
            object,
            interpreter,
            (&self.library_path, self.is_brief),
        );
        if self.closure.objects.is_empty() {
            // No two of one program have a path in common.
            self.closure.objects = objects;
        } else {
            objects.into_iter().for_each(|object| self.loaded(object));
        }
        for problem in problems {
            self.problem(problem);
        }
    }

    /// The kernel maps the loader itself and is as strict as with a program.
    fn check_loader(&mut self, interpreter: &str, program: &Opened, object: &Object) {
        let needed_by = program.real_path.clone();
        let Some(found) = self.find_interpreter(interpreter, &needed_by) else {
            return;
        };
        let opened = match self.loader.files.open(&found) {
            Ok(opened) => opened,
            Err(_) => return,
        };
        match opened.object.as_ref() {
            Err(damage) => self.refused(interpreter, Some(&needed_by), damage),
            Ok(loader) if loader.machine != object.machine => {
                self.problem(Problem::WrongMachine {
                    name: interpreter.to_owned(),
                    path: found,
                    needed_by,
                    found: loader.machine.to_string(),
                    expected: object.machine.to_string(),
                });
            }
            Ok(_) => {}
        }
    }

    /// The real path of an interpreter that is there and executable.
    fn find_interpreter(&mut self, interpreter: &str, needed_by: &str) -> Option<String> {
        let (path, meta) = match self.loader.files.resolve(interpreter) {
            Ok(found) => found,
            Err(end) => {
                self.problem(Problem::InterpreterMissing {
                    interpreter: interpreter.to_owned(),
                    needed_by: needed_by.to_owned(),
                    at: end.at.to_string_lossy().into_owned(),
                    links: links(&end.links),
                    why: why(end.errno),
                });
                return None;
            }
        };
        if meta.kind == Kind::File && !meta.is_executable() {
            self.problem(Problem::InterpreterDamaged {
                interpreter: interpreter.to_owned(),
                needed_by: needed_by.to_owned(),
                why: "not executable".to_owned(),
            });
        }
        Some(path)
    }

    fn execute_script(&mut self, script: &str, shebang: &Shebang, depth: usize) {
        if self.closure.interpreter.is_none() {
            self.closure.interpreter = Some(shebang.interpreter.clone());
        }
        self.start_for(script, &shebang.interpreter, depth);
        let Some(name) = &shebang.by_env else {
            return;
        };
        let is_there = |path: &String| {
            let meta = self.loader.files.root.metadata(path);
            meta.is_ok_and(|meta| meta.kind == Kind::File && meta.is_executable())
        };
        let path = if name.contains('/') {
            Some(name.clone())
        } else {
            let mut places = SEARCH_PATH.iter().map(|dir| format!("{dir}/{name}"));
            places.find(is_there)
        };
        match path {
            Some(path) => self.start_for(script, &path, depth),
            None => self.problem(Problem::InterpreterMissing {
                interpreter: name.clone(),
                needed_by: script.to_owned(),
                at: SEARCH_PATH.join(":"),
                links: Vec::new(),
                why: "in no directory of the path".to_owned(),
            }),
        }
    }

    /// Starts `program`, which runs `script`.
    fn start_for(&mut self, script: &str, program: &str, depth: usize) {
        let Some(real_path) = self.find_interpreter(program, script) else {
            return;
        };
        self.loaded(Loaded {
            name: program.to_owned(),
            path: program.to_owned(),
            real_path: real_path.clone(),
            needed_by: script.to_owned(),
        });
        self.execute(&real_path, Some(script), depth + 1);
    }

    /// The kernel refuses `path`: the program, or what runs `needed_by`.
    fn refused(&mut self, path: &str, needed_by: Option<&str>, damage: &Damage) {
        let path = path.to_owned();
        let why = match damage {
            Damage::NotElf => "neither an ELF file nor a script".to_owned(),
            damage => damage.to_string(),
        };
        self.problem(match (damage, needed_by) {
            (Damage::Unreadable { .. }, _) => Problem::Unexamined { path, why },
            (_, None) => Problem::ProgramDamaged { path, why },
            (_, Some(needed_by)) => Problem::InterpreterDamaged {
                interpreter: path,
                needed_by: needed_by.to_owned(),
                why,
            },
        });
    }

    /// Several programs of one script share libraries and problems.
    fn loaded(&mut self, object: Loaded) {
        if !self
            .closure
            .objects
            .iter()
            .any(|known| known.path == object.path)
        {
            self.closure.objects.push(object);
        }
    }

    fn problem(&mut self, problem: Problem) {
        if !self.closure.problems.contains(&problem) {
            self.closure.problems.push(problem);
        }
    }
}

fn missing_program(program: &str, end: &DeadEnd) -> Problem {
    let links = links(&end.links);
    if end.errno == Errno::ELOOP {
        return Problem::LinkLoop {
            path: program.to_owned(),
            needed_by: None,
            links,
        };
    }
    Problem::ProgramMissing {
        program: program.to_owned(),
        at: end.at.to_string_lossy().into_owned(),
        links,
        why: why(end.errno),
    }
}

fn why(errno: Errno) -> String {
    errno.desc().to_lowercase()
}
