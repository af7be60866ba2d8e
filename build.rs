//! The binary holds the files of `web/`: a page that comes or changes makes a new one.

fn main() {
    println!("cargo::rerun-if-changed=web");
}
