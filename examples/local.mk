# Examples: networks made by this project, each with a test that compiles and runs it.
