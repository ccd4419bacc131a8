"""What is archived, what is missing and which runs there were: rows in a database.

`database` opens it, `tables` says what is in it, `schema` brings it to this version's form, and
`rows` reads and writes it.
"""
