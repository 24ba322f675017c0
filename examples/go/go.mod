module example.com/fairlane

go 1.19
