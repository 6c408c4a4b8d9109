from radpair.cli import main

main()
